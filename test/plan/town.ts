/** A small town's plan that is whole, for tests to break one thing of. Line numbers in the stories count in here. */
export const town = `city: Kota Kecil
timezone: Asia/Jakarta
languages: [id, en]
trunks:
  carrier: { role: carrier, address: 127.0.0.2 }
  gateway: { role: agencies, address: 127.0.0.3, port: 5070, codecs: [ulaw] }
numbers:
  "112": { language: id, entry: utama }
  "+62721555": { entry: bpbd }
menus:
  utama:
    greeting: sambutan
    prompt: menu-utama
    keys:
      1: bpbd
      2: lain
    silence: posko
  lain:
    prompt: menu-lain
    patience: 1.5 s
    tries: 3
    keys: { 1: bpbd, "*": utama }
    silence: utama
    wrongKey: salah
agencies:
  bpbd:
    name: BPBD
    connecting: sambung
    lines:
      - { id: bpbd-1, trunk: gateway, number: bpbd-1 }
      - { id: bpbd-2, trunk: carrier, number: "0721556", acceptKey: 1, ringTime: 30 s, capacity: 2 }
  posko:
    name: Posko (desk)
    connecting: sambung
    sorry: maaf-posko
    lines:
      - { id: posko-1, trunk: gateway, number: posko-1 }
prompts:
  wrongKey: tidak-valid
  nextLine: coba-lain
  sorry: maaf
offerKeys: { callback: 7, message: 8 }
`

const texts = [
  'sambutan', 'menu-utama', 'menu-lain', 'salah', 'sambung', 'maaf-posko', 'tidak-valid', 'coba-lain', 'sedang-menghubungkan', 'maaf', 'konfirmasi-petugas', 'penelepon-pergi', 'tetap-di-saluran',
  'telepon-balik', 'mohon-bicara', 'konfirmasi-telepon-balik', 'warga-tidak-terhubung', 'petugas-sudah-pergi', 'telepon-balik-selesai', 'sudah-bicara', 'dicatat', 'tawaran-telepon-balik', 'akan-ditelepon'
]

/** Every prompt that the town's plan names, in both of its languages. */
export const townPrompts = new Map(['id', 'en'].map(language => [language, new Map(texts.map(name => [name, true]))]))

/** The town's plan with each `from` replaced by its `to`; a `from` that is not there is the test's own fault. */
export function townWith(...edits: [from: string, to: string][]): string {
  return edits.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the town's plan has no ${JSON.stringify(from)}`)
    return text.replace(from, () => to)
  }, town)
}
