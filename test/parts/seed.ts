/** Property tests try the same cases each time, so that a red run is one that can be looked into; SATUNOMOR_TEST_SEED tries others. */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['SATUNOMOR_TEST_SEED'] ?? 112) })
