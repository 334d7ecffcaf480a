/** Before the real tests: the prompts of all their cities are spoken, once, so that files that run side by side only read them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { project } from '../../setup/project.mjs'
import { makeReady } from '../../src/prepare.ts'
import { readSettings } from '../../src/settings.ts'

export const sounds = join(project, 'var', 'test-sounds')

export async function setup() {
  const state = await mkdtemp(join(tmpdir(), 'satunomor-sounds-'))
  try {
    await makeReady({ settings: readSettings({ SATUNOMOR_STATE: state, SATUNOMOR_TOOLS: 'root', SATUNOMOR_SOUNDS: sounds }, project) })
  } finally {
    await rm(state, { recursive: true, force: true })
  }
}
