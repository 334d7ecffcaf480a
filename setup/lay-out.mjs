// Step: the plan checked and rendered, the prompts spoken, Asterisk's files laid out (src/prepare.ts).
import { join } from 'node:path'
import { node, nodeEnv } from './packages.mjs'
import { asteriskFolders } from './parts.mjs'
import { project, state } from './project.mjs'
import { run, step } from './steps.mjs'

/**
 * Throws where nothing of it can be laid out. @param {{ beside?: boolean }} [how] `beside`: Asterisk runs, and what it has loaded at its start stays as it is
 * @returns {Promise<string[]>} warnings
 */
export async function layOutPlan({ beside = false } = {}) {
  const owner = asteriskFolders(join(state, 'asterisk'))
  /** @type {string[]} */
  const warnings = []
  await step('Service plan, dialplan and prompts', 'half a minute the first time', async () => {
    const said = await run(node, [join(project, 'src', 'prepare.ts'), ...beside ? ['--beside'] : []], {
      env: { ...nodeEnv, SATUNOMOR_TOOLS: 'root', SATUNOMOR_ASTERISK_USER: `${owner.uid}:${owner.gid}` },
      advice: 'Mend what the lines above name (file:line:column); nothing of it went live.'
    })
    const lines = said.trim().split('\n')
    warnings.push(...lines.slice(0, -1))
    return lines.at(-1) ?? ''
  })
  return warnings
}

/** Throws every fault of the settings. */
export const checkSettings = () => step('Settings', 'a moment', () => run(node, [join(project, 'src', 'prepare.ts'), '--settings'], { env: nodeEnv, advice: 'Mend the settings that the lines above name.' }).then(() => {}))
