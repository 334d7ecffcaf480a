/** The directory of the plan that is live: whom the command centre may have to reach. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { search, type DirectoryEntry } from '../plan/directory.ts'
import { defaulted, Fault } from './schemas.ts'

export interface DirectoryOptions {
  directory: () => readonly DirectoryEntry[]
}

const Query = Type.Object({
  search: defaulted(Type.String({ maxLength: 100, default: '', description: 'In the name or the code; spaces and capitals do not matter (`tanjung karang` finds Tanjungkarang). Left out: everybody.' }))
}, { additionalProperties: false })
const Entries = Type.Object({
  entries: Type.Array(Type.Object({
    kind: Type.Unsafe<DirectoryEntry['kind']>({ type: 'string', enum: ['opd', 'kecamatan', 'kelurahan'], description: 'An agencies\' parent office, or an area.' }),
    id: Type.String({ description: 'The OPD\'s name in the plan, or the area\'s official code.' }),
    name: Type.String({ description: 'For people to read.' }),
    within: Type.Optional(Type.String({ description: 'The code of a kelurahan\'s kecamatan.' })),
    agencies: Type.Array(Type.String(), { description: 'The agencies of an OPD.' }),
    contact: Type.Optional(Type.Object({ trunk: Type.String(), number: Type.String({ description: 'What is dialled on the trunk.' }) }, { description: 'The line on which somebody is reached.' }))
  }, { title: 'DirectoryEntry' }), { description: 'OPD first, then each kecamatan with its kelurahan.' })
}, { title: 'Directory' })

export const directoryRoutes: FastifyPluginAsyncTypebox<DirectoryOptions> = async (app, { directory }) => {
  app.get('/directory', {
    config: { desk: true },
    schema: { operationId: 'listDirectory', summary: 'OPD, kecamatan and kelurahan', tags: ['plan'], security: [{ token: [] }], querystring: Query, response: { 200: Entries, 400: Fault, 401: Fault } }
  }, async ({ query }) => ({ entries: search(directory(), query.search).map(entry => ({ ...entry, agencies: [...entry.agencies] })) }))
}
