// Preloaded (`--import`) into the service and the watchdog: their clock can be stepped. How far, in ms, stands in the
// file SATUNOMOR_TEST_CLOCK; performance.now() and timers are monotonic, and know nothing of it.
import { readFileSync } from 'node:fs'

const file = process.env['SATUNOMOR_TEST_CLOCK'] ?? ''
const True = Date
const now = () => True.now() + Number(readFileSync(file, 'utf8'))

globalThis.Date = /** @type {DateConstructor} */ (class Date extends True {
  /** @param {[] | [number]} given */
  constructor(...given) {
    if (given.length === 0) super(now())
    else super(...given)
  }

  /** @override */
  static now() { return now() }
})
