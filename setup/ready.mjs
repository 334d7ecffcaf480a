// All that a restart needs, made ready while everything runs on: `npm start` runs this anew each time, so that it is the new code that does it.
// `--whole`: for a restart of everything, which lays out the plan itself. Ends with 0 and a line of JSON, or with 1: then nothing that runs has been touched.
const whole = process.argv.includes('--whole')
const { faultsAtStart } = whole ? await import('./settings-file.mjs') : { faultsAtStart: [] }          // else the settings are in the environment
const { checkSettings, layOutPlan } = await import('./lay-out.mjs')
const { installPackages, node, program } = await import('./packages.mjs')
const { ownCode } = await import('./own-code.mjs')
const { makeRoot, root } = await import('./root.mjs')
const { StepFailed, steps } = await import('./steps.mjs')

await steps(async () => {
  if (faultsAtStart.length > 0) throw new StepFailed(faultsAtStart.join('\n'), 'Mend the settings file.')
  await installPackages()
  await makeRoot()
  if (whole) await checkSettings()
  else for (const warning of await layOutPlan({ beside: true })) process.stderr.write(`    ! ${warning}\n`)
})
process.stdout.write(`${JSON.stringify({ root, ownCode: ownCode(), node, service: program('src/main.ts'), watchdog: program('src/watchdog.ts') })}\n`)
export {}
