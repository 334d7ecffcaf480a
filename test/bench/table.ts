/** How figures are written, in the document and for whoever watches. */
import { variants, type Variant } from './places.ts'

export const one = (value: number) => Number.isFinite(value) ? value.toFixed(1) : '–'
/** Cut, not rounded: 100 % is all of it. */
export const percent = (share: number) => Number.isFinite(share) ? `${one(Math.floor(share * 1000) / 10)} %` : '–'
export const letter = (variant: Variant) => variants[variant].words.slice(0, 3)
