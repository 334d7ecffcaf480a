/** The OpenAPI document, as far as no route says it: what the API is, where, and the schemas by name. */
import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger'

const tags = [
  { name: 'health', description: 'For machines that watch the service.' },
  { name: 'calls', description: 'The calls, and what became of them.' },
  { name: 'follow-ups', description: 'What the city owes citizens who reached nobody, and what citizens were told.' },
  { name: 'plan', description: 'The service plan, its versions, what is set by hand, and the directory.' },
  { name: 'webhooks', description: 'Events for agencies\' own systems that could not be delivered.' },
  { name: 'operations', description: 'For who operates the service.' }
]

export const documentOf = (version: string): FastifyDynamicSwaggerOptions => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Satunomor', version, description: 'One city number: its calls, and how the service is.',
      license: { name: 'AGPL-3.0-or-later', identifier: 'AGPL-3.0-or-later' } as { name: string }
    },
    servers: [{ url: '/', description: 'The service that this document comes from.' }],
    tags,
    components: { securitySchemes: {
      token: { type: 'http', scheme: 'bearer', description: 'Your own token (npx satunomor person add), or the city\'s from the service\'s token file, which may do everything.' },
      signature: { type: 'apiKey', in: 'header', name: 'webhook-signature', description: 'Standard Webhooks, with the gateway\'s secret (docs/messages.md).' }
    } }
  },
  transformObject: document => 'openapiObject' in document ? byName(document.openapiObject as Document) as typeof document.openapiObject : document.swaggerObject
})

interface Document { paths: object, components?: { schemas?: Record<string, unknown> } }

/** Each schema with a `title` stands once, under that name. Throws where two differ under one name. */
export function byName(document: Document): object {
  const schemas: Record<string, unknown> = { ...document.components?.schemas }
  const texts = new Map<string, string>()
  const walk = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(walk)
    if (typeof node !== 'object' || node === null) return node
    const walked = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, /^(example|examples|default|enum|const)$/.test(key) ? value : walk(value)]))
    const { title, examples, ...schema } = walked as { title?: unknown, examples?: unknown }
    if (typeof title !== 'string') return walked
    const text = JSON.stringify(schema)
    if ((texts.get(title) ?? text) !== text) throw new Error(`two schemas are named ${title}: name one of them otherwise`)
    texts.set(title, text)
    schemas[title] = { ...schemas[title] as object | undefined, ...schema, ...examples ? { examples } : {} }          // of the whole body, the plugin has taken the examples out
    return { $ref: `#/components/schemas/${title}` }
  }
  const paths = walk(document.paths) as object
  return { ...document, paths, components: { ...document.components, schemas: Object.fromEntries(Object.entries(schemas).sort(([one], [other]) => one < other ? -1 : 1)) } }
}
