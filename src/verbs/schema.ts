/** `npx satunomor schema > dialplan/plan.schema.json`: the plan's JSON Schema, for editors. */
import { publishedSchema } from '../plan/publish.ts'

export async function run(): Promise<number> {
  process.stdout.write(`${JSON.stringify(publishedSchema(), null, 2)}\n`)
  return 0
}
