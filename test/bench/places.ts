/** Where the bench's parts stand, and the words that they share. */
export const addresses = { asterisk: '127.77.60.1', carrier: '127.77.60.2', gateway: '127.77.60.3' }
/** The port where all callers want their sound. */
export const callersMedia = 30000

/** What is compared, and the number that reaches it. */
export const variants = {
  dialplan: { number: '9112', words: '(a) a pure dialplan: Answer, Read, Dial' },
  service: { number: '112', words: '(b) this service' },
  ari: { number: '8112', words: '(c) a minimal app that dials and bridges over ARI' },
  fallback: { number: '112', words: '(d) our dialplan without the service: the fallback' }
}
export type Variant = keyof typeof variants

/** RTP payload types: PCMA, and the caller's telephone-event. */
export const voicePayloadType = 8
export const keyPayloadType = 96

/** The caller's script, in ms after the answer: voice throughout, key 1 pressed for 100 ms; `leaves` at the end. */
export const script = { keyAt: 500, keyFor: 100, agencyAnswersAfter: 200, leaves: 2900 }
