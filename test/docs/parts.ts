/** Pieces of a plan, as the examples of docs/ have them, and how they are laid over a whole one. */
import { parse } from 'yaml'

export type Part = { [key: string]: unknown }

/** The values stay text, as the plan is read. */
export const asPart = (text: string) => parse(text, { schema: 'failsafe' }) as Part
export const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A plan with an example laid over it: key by key, lists whole. */
export const over = (base: Part, example: Part): Part => Object.entries(example).reduce((all, [key, value]) => {
  const below = all[key]
  return { ...all, [key]: isPart(below) && isPart(value) ? over(below, value) : value }
}, base)
