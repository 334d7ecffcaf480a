/** Sounds for tests: as irregular as speech, the same each time, and with real pauses in them. */

/** So many ms of A-law; a different one for each seed. With `pause`, 400 ms of silence stand in its middle. */
export function speech(seed: number, ms: number, { pause = false } = {}): Buffer {
  let state = seed * 2654435761 >>> 0
  const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) >>> 24
  const sound = Buffer.from(Array.from({ length: ms * 8 }, random))
  return pause ? sound.fill(0xd5, ms * 4 - 1_600, ms * 4 + 1_600) : sound
}

/** What was heard or sent, without the silence before, after and between. */
export function spoken(frames: readonly Buffer[]): Buffer {
  return Buffer.concat(frames.filter(frame => frame.some(byte => byte !== 0xd5)))
}
