/** `npx satunomor schema > dialplan/plan.schema.json`: the plan's JSON Schema, for editors. */
import { publishedSchema } from '../plan/publish.ts'
import { read, type Usage } from './usage.ts'

export const usage = { lines: ['schema'], options: {}, example: 'schema > dialplan/plan.schema.json' } as const satisfies Usage

export async function run(args: string[]): Promise<number> {
  read(usage, args)
  process.stdout.write(`${JSON.stringify(publishedSchema(), null, 2)}\n`)
  return 0
}
