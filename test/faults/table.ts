import type { Cell } from './cell.ts'
import { writeFile } from 'node:fs/promises'
export async function writeTable(cells: readonly Cell[]): Promise<void> { await writeFile('/tmp/cells.json', JSON.stringify(cells)) }
