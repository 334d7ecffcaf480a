/**
 * How the service plan changes: an edit of the admin's folder is made live whole, or not at all, and can be taken back.
 * The running service does it, so that it follows at once; where none runs, the admin's command does.
 */
import type { Logger } from 'pino'
import { formatFault } from '../plan/faults.ts'
import type { Plan } from '../plan/plan.ts'
import { loadPlan } from '../plan/load.ts'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mkdir, readdir } from 'node:fs/promises'
import { compare } from './compare.ts'
import { linkOrCopy, makeCandidate, refuseMissing, sourceOf, type Candidate, type Desk, type Workshop } from './candidate.ts'
import { lock } from './lock.ts'
import { missing, place, renderedFiles, type Live } from './place.ts'
import { configOf, hasConfig, placeConfig } from './place-config.ts'
import { isRestored, markRestored } from './restored.ts'
import { damaged, type Lost, type Version, type Versions } from './versions.ts'

/** The Asterisk that is running. */
export interface Exchange {
  /** Has it read these files (`extensions.conf`, …) again, and nothing else; calls go on. */
  reload(files: readonly string[]): Promise<void>
  /** What it says that it has loaded is not what it should have; undefined: it is. */
  differs(from: { rendered: string, plan: Plan }): Promise<string | undefined>
}

export interface ChangesOptions {
  versions: Versions
  desk: Desk
  workshop: Workshop
  live: Live
  /** Without one, whoever starts next loads what is live. */
  exchange?: Exchange
  /** Tries a candidate on an Asterisk of its own; throws what does not work. `tell` hears when that one stands, and is called. */
  smoke?: (candidate: Candidate, tell: (step: string) => void) => Promise<void>
  /** The service walks this plan from now on. */
  follow?: (plan: Plan) => void
  /** The version of the plan that the service walks now. */
  walks?: () => string
  /** An edit was made live: whoever watches over it does from now on. */
  applied?: (version: Version, plan: Plan) => void
  log: Logger
}

/** Who changes the plan and why: both are kept. */
export interface Order {
  who: string
  why: string
  /** Hears each step as it begins. */
  tell?: (step: string) => void
  /** Hears each warning about an edit that is made live. */
  warn?: (sentence: string) => void
}

type Hears = Required<Pick<Order, 'tell' | 'warn'>>

/** A start: who starts, and where what it has to say goes. */
interface Starting extends Pick<Order, 'who' | 'tell'> {
  /** Whether an edit of the folder is made live. */
  applyEdits?: boolean
  warn: (sentence: string) => void
}

/** It was not done, for a reason that whoever asked can do something about; nothing has changed. */
export class NotApplied extends Error {
  override name = 'NotApplied'
  /** A word for programs. */
  readonly reason: 'stale' | 'nothing' | 'failed'

  constructor(reason: NotApplied['reason'], sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.reason = reason
  }
}

/** What says that a disk is full, or takes nothing. */
const diskErrors = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO']

/** How long a call may stand in the dialplan that it began under, before it is answered or through with all lines. */
const standing = 30 * 60_000

export class Changes {
  readonly #options: ChangesOptions

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  get versions() { return this.#options.versions }

  /** A candidate out of the admin's folder as it is now (or out of `from`), checked whole; dispose it. `kept`: it was live before. Nothing that is live changes. Throws `NotPrepared`. */
  async draft({ from = this.#options.desk, kept: isKept = false }: { from?: Desk, kept?: boolean } = {}): Promise<{ candidate: Candidate } & AsyncDisposable> {
    const { versions, workshop } = this.#options
    await using staged = new AsyncDisposableStack()
    const { folder } = staged.use(await versions.stage())
    const current = await versions.look()
    const candidate = await makeCandidate(from, folder, { ...workshop, kept: isKept, ...current && !('sentence' in current) ? { spoken: join(current.folder, 'sounds') } : {} })
    const kept = staged.move()
    return { candidate, [Symbol.asyncDispose]: () => kept.disposeAsync() }
  }

  /** What differs between two versions; `from` left out is what is live, `to` left out is the admin's folder. Throws as `draft` does. */
  async diff(from?: number, to?: number): Promise<string> {
    const { versions } = this.#options
    const old = from === undefined ? await versions.current() : await versions.get(from)
    if (!old) throw new NotApplied('nothing', 'no version is live yet: npm start makes one')
    const before = { name: `version ${old.version}`, folder: old.folder }
    if (to !== undefined) return compare(before, { name: `version ${to}`, folder: (await versions.get(to)).folder })
    await using draft = await this.draft()
    return await compare(before, { name: 'edited', folder: draft.candidate.folder })
  }

  /**
   * Makes the admin's folder live. `base` is the version that the edit began from; left out, it is the one that this
   * folder gave last; `smoke: false` leaves the smoke call out. Throws `Locked`, `NotPrepared`, `NotApplied`, or what the smoke call met: then nothing has changed.
   */
  async apply({ who, why, base, smoke: tried = true, tell = () => {}, warn = () => {} }: Order & { base?: number, smoke?: boolean }): Promise<Version> {
    const { versions, desk, smoke } = this.#options
    await mkdir(versions.folder, { recursive: true })
    await using _ = await lock(versions.folder, { who, does: 'applies' })
    await this.#tidy()
    const current = await versions.current()
    refuseStale(current, await versions.list(), desk, base)
    tell('check')
    await using draft = await this.draft()
    const { candidate } = draft
    if (current && current.source === candidate.source && current.rendered === candidate.rendered) {
      throw new NotApplied('nothing', `there is nothing to apply: ${desk.plan} and its folders are what version ${current.version} is`)
    }
    for (const warning of candidate.warnings) warn(formatFault(warning))
    if (smoke && tried) {
      tell('smoke call')
      await smoke(candidate, tell)
    }
    const version = await this.#makeLive(candidate.folder, candidate.plan, { who, why, base: current?.version ?? null, restores: null, from: desk.plan }, { tell, warn })
    this.#options.applied?.(version, candidate.plan)
    await this.#prune(version, candidate.plan)
    return version
  }

  /** Makes live again what a version was: `to`, or the one before what is live now. Throws `Locked`, `NotApplied`. */
  async rollBack({ who, why, to, tell = () => {}, warn = () => {} }: Order & { to?: number }): Promise<Version> {
    const { versions } = this.#options
    await mkdir(versions.folder, { recursive: true })
    await using _ = await lock(versions.folder, { who, does: 'rolls back' })
    await this.#tidy()
    const all = await versions.list()
    const current = await versions.current()
    if (to === undefined && current && current.restores !== null && original(current, all) === current) {
      throw new NotApplied('nothing', `version ${current.version} is what version ${current.restores} was, and what was live before that is not known any more: say which version, npx satunomor rollback N`)
    }
    const back = to ?? (current && original(current, all).base)
    const target = typeof back === 'number' ? await versions.get(back) : undefined
    if (!current || !target) throw new NotApplied('nothing', 'there is no version to go back to')
    if (target.version === current.version) throw new NotApplied('nothing', `version ${target.version} is live`)
    tell('check')
    const broken = await damaged(target)
    if (broken.length > 0) throw new NotApplied('failed', `version ${target.version} is not whole any more (${broken.join(', ')}): go back to another one`)
    await using staged = await versions.stage()
    await copyOf(target, staged.folder)
    if (!hasConfig(target) && hasConfig(current)) await copyOf(current, staged.folder, path => path.startsWith('/asterisk-config'))
    const plan = await planOf(target)
    const version = await this.#makeLive(staged.folder, plan, { who, why, base: current.version, restores: original(target, all).version, from: null }, { tell, warn })
    await this.#prune(version, plan)
    return version
  }

  /**
   * At the set-up's start: what is live stays live, and an edit of the admin's folder stays an edit, of which `warn` hears in one line. With
   * `applyEdits` an edit that is without fault is made live, but none after a rollback or a restore. Without any version the folder becomes the first.
   * Throws only where there is nothing to go on with.
   */
  async start({ who, applyEdits = false, tell = () => {}, warn }: Starting): Promise<Version> {
    const { versions, live } = this.#options
    await mkdir(versions.folder, { recursive: true })
    await using _ = await lock(versions.folder, { who, does: 'starts' })
    await this.#tidy(warn)
    const current = await versions.look()
    const kept = await lastWhole(current, await versions.list(), warn)
    const version = kept ? await this.#goOn(kept, { who, applyEdits, tell, warn }) : await this.#first({ who, tell, warn })
    try {
      if (version.version !== current?.version) await versions.makeCurrent(version)
      await place(version, await this.#standingIn(version), live)
      return version
    } catch (error) {
      // What was live, and is kept, is laid out from the last time: 112 is served by that, whatever the disk takes now.
      if (!kept || kept.version !== current?.version) throw error
      const { dialplan, sounds } = await missing(kept, live)
      if (dialplan.length > 0) throw error
      warn(`version ${version.version} could not be laid out (${(error as Error).message}): Asterisk goes on with version ${kept.version} as it is laid out already${sounds.length > 0 ? `, without ${sounds.join(', ')} as they should be` : ''}. Make room on the disk, and start again at a calm hour.`)
      if (version.version !== kept.version) {
        if ((await versions.current())?.version !== kept.version) await versions.makeCurrent(kept)
        await versions.remove(version).catch(() => {})
      }
      return kept
    }
  }

  async #first({ who, tell = () => {}, warn }: Starting): Promise<Version> {
    tell('check')
    await using draft = await this.draft()
    const { candidate } = draft
    for (const warning of candidate.warnings) warn(formatFault(warning))
    return await this.#options.versions.keep(candidate.folder, { plan: candidate.plan.version, who, why: 'the first version', base: null, restores: null, from: this.#options.desk.plan })
  }

  /** What is live goes on: as it was rendered, or as a new version where the project or a setting renders it in another way now. */
  async #goOn(kept: Version, { who, applyEdits = false, tell = () => {}, warn }: Starting): Promise<Version> {
    const { versions, desk, smoke } = this.#options
    let edit: 'none' | 'waits' | 'applies' = 'none'
    try {
      const away = this.#away()
      if (away !== undefined) edit = 'waits'
      else if (await this.#isEdited(kept)) edit = applyEdits && kept.from !== null && !await isRestored(versions, kept) ? 'applies' : 'waits'
      if (edit === 'waits') warn(away === undefined ? await this.#editWaits(kept) : `version ${kept.version} is live and stays so: ${away}`)
      tell('check')
      // A version from before December 2026 has no asterisk-config/: it gets what was laid out with it, the folder's.
      const adopts = edit !== 'applies' && !hasConfig(kept) && desk.config !== undefined && existsSync(desk.config)
      const from = adopts ? { ...deskOf(kept), config: desk.config! } : deskOf(kept)
      await using draft = await this.draft(edit === 'waits' || adopts ? { from, kept: true } : { kept: edit === 'none' })
      const { candidate } = draft
      if (edit !== 'waits') for (const warning of candidate.warnings) warn(formatFault(warning))
      const same = adopts || candidate.source === kept.source
      if (edit !== 'applies' && !same) return kept                     // somebody edits it just now
      if (same && !adopts && candidate.rendered === kept.rendered) return kept
      if (smoke) {
        tell('smoke call')
        await smoke(candidate, tell)
      }
      const why = adopts ? 'asterisk-config/ belongs to the version from now on' : same ? 'rendered anew at the start' : 'the folder was edited; applied at the start'
      const version = await versions.keep(candidate.folder, { plan: candidate.plan.version, who, why, base: kept.version, restores: null, from: same ? kept.from : desk.plan })
      if (await isRestored(versions, kept)) await markRestored(versions, version)
      return version
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (diskErrors.includes(code ?? '')) warn(`${message}\nWhether ${desk.plan} or its folders were edited could not be looked at: version ${kept.version} stays live. Make room on the disk; what was edited, npx satunomor apply makes live.`)
      else if (edit === 'applies') warn(`${message}\nTHE EDITED PLAN IS NOT LIVE. Version ${kept.version} (${kept.who}, ${kept.at}: ${kept.why}) stays live. Mend what the lines above name, then: npx satunomor apply --why "…"`)
      else warn(`${message}\nVersion ${kept.version} is live as it was rendered before: it cannot be rendered anew, as the lines above say.`)
      return kept
    }
  }

  /** What of the admin's folder is not there, e.g. since its disk is not mounted, in a sentence. */
  #away(): string | undefined {
    try {
      refuseMissing(this.#options.desk)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Whether the admin's folder is not what a version was made of. */
  async #isEdited(version: Version): Promise<boolean> {
    const { versions, desk: { config, ...folders } } = this.#options
    const { source } = version
    const desk = hasConfig(version) && config !== undefined ? { ...folders, config } : folders
    await using staged = await versions.stage()
    return await sourceOf(desk, staged.folder).catch(error => { if (diskErrors.includes(error.code)) throw error }) !== source          // undefined: a file of it is away
  }

  async #editWaits({ version }: Version): Promise<string> {
    const { versions, desk } = this.#options
    const base = begunFrom(await versions.list(), desk) === version ? '' : ` --base ${version}`
    const folders = new Set([desk.plan, desk.templates].map(path => dirname(path)))
    return `version ${version} is live; ${[...folders].join(' or ')} has edits that are not live: npx satunomor diff, npx satunomor apply --why "…"${base}`
  }

  /**
   * After Asterisk started, a service was killed in the middle of an apply, or somebody else made a version live: the service walks what
   * is live, and Asterisk has loaded it, or loads it now. Throws `Locked`, or what Asterisk says.
   */
  async catchUp() {
    const { versions, exchange, live, log, follow, walks, applied } = this.#options
    const seen = await versions.current()
    if (!seen || !exchange || await this.#behind(seen) === undefined) return
    await using _ = await lock(versions.folder, { who: 'the service', does: 'catches up' })
    const current = await versions.current()          // it may have become another one before we had the lock
    const behind = current && await this.#behind(current)
    if (!current || !behind) return
    const plan = await planOf(current)
    if (behind.walks) {
      log.warn({ version: current.version, plan: plan.version, walked: walks?.() }, 'another version is live than the one that the service goes by: it follows')
      follow?.(plan)
      if (current.restores === null) applied?.(current, plan)
    }
    if (!behind.loaded) return
    log.warn({ version: current.version }, 'Asterisk has loaded another version than the live one: it is loaded now')
    await place(current, await this.#standingIn(current), live)
    await exchange.reload([...(await renderedFiles(current)).keys()])
  }

  /** Away with what others left who were killed; tells which versions nobody can go back to. */
  async #tidy(warn = (sentence: string) => this.#options.log.warn(sentence)) {
    const { versions } = this.#options
    await versions.sweep()
    for (const { version, sentence } of await versions.lost()) warn(`version ${version} is lost, and passed over: ${sentence}`)
  }

  /** Who does not go by this version: the service, Asterisk; undefined: both do. */
  async #behind({ folder, rendered, plan }: Version): Promise<{ walks: boolean, loaded: boolean } | undefined> {
    const { exchange, walks } = this.#options
    const behind = { walks: walks !== undefined && walks() !== plan, loaded: await exchange?.differs({ rendered, plan: await planOf({ folder }) }) !== undefined }
    return behind.walks || behind.loaded ? behind : undefined
  }

  async #makeLive(staged: string, plan: Plan, about: Omit<Parameters<Versions['keep']>[1], 'plan'>, hears: Hears): Promise<Version> {
    const { tell } = hears
    const { versions, log, follow } = this.#options
    const old = await versions.current()
    tell('keep')
    const fresh = await versions.keep(staged, { ...about, plan: plan.version })
    try {
      tell('swap')
      await versions.makeCurrent(fresh)
      follow?.(plan)              // before Asterisk does: a call that it sends to a new node is known here
      await this.#load(fresh, plan, old, hears)
    } catch (error) {
      tell('put back')
      if (old) await this.#putBack(old, fresh, error as Error)
      await versions.remove(fresh)
      throw new NotApplied('failed', `${(error as Error).message}: ${old ? `version ${old.version} is live as before` : 'nothing is live'}`, { cause: error })
    }
    log.info({ version: fresh.version, plan: plan.version, who: about.who, why: about.why, restores: about.restores }, 'a version of the plan was made live')
    return fresh
  }

  async #putBack(old: Version, fresh: Version, why: Error) {
    const { versions, follow } = this.#options
    await versions.makeCurrent(old)
    const plan = await planOf(old)
    follow?.(plan)
    try {
      await this.#load(old, plan, fresh, { tell: () => {}, warn: () => {} })
    } catch (error) {
      throw new NotApplied('failed', `${why.message}; version ${old.version} is live again, but Asterisk could not be told so (${(error as Error).message}): it is, as soon as Asterisk answers`, { cause: why })
    }
  }

  /** Has Asterisk load a version: only the files that differ from those of `old` are read anew. */
  async #load(version: Version, plan: Plan, old: Version | undefined, { tell, warn }: Hears) {
    const { live, exchange } = this.#options
    tell('lay out')
    await place(version, await this.#standingIn(version), live)
    const config = live.config === undefined ? { reload: [] } : await placeConfig(version, old, live.config)
    if (config.later !== undefined) warn(config.later)
    if (!exchange) return
    const [mine, theirs] = [await renderedFiles(version), old ? await renderedFiles(old) : new Map<string, string>()]
    tell('reload')
    await exchange.reload([...mine.keys()].filter(name => name === 'extensions.conf' || config.reload.includes(name) || body(mine.get(name)!) !== body(theirs.get(name) ?? '')))
    tell('verify')
    const differs = await exchange.differs({ rendered: version.rendered, plan })
    if (differs !== undefined) throw new Error(`Asterisk did not load what was rendered (${differs})`)
  }

  /** The oldest go, beyond as many as the plan keeps; never one that is live, that a rollback leads to, that calls may stand in, or that this folder gave last. */
  async #prune(current: Version, { apply: { keep } }: Plan) {
    if (keep === undefined) return
    const { versions, desk, log } = this.#options
    try {
      const all = await versions.list()
      const needed = [current, original(current, all), before(current, all), all.findLast(({ from }) => from === desk.plan), ...await this.#standingIn(current)].map(one => one?.version)
      for (const version of all.slice(0, -keep)) if (!needed.includes(version.version)) await versions.remove(version)
    } catch (error) {
      log.warn({ err: error }, 'old versions of the plan could not be removed: again after the next apply')
    }
  }

  /** The versions that calls may still stand in: those that were live within the last half hour, the newest first. */
  async #standingIn({ version }: Version): Promise<Version[]> {
    const all = (await this.#options.versions.list()).filter(one => one.version !== version).reverse()
    return all.filter((_, at) => at === 0 || Date.now() - Date.parse(all[at - 1]!.at) < standing).slice(0, 40)
  }
}

/** The plan of a version, as the service walks it. */
export async function planOf({ folder }: Pick<Version, 'folder'>): Promise<Plan> {
  return (await loadPlan(join(folder, 'dialplan', 'plan.yaml'), undefined, { kept: true })).plan
}

/** A rendered file without its heading, which names the plan's version. */
const body = (text: string) => text.slice(text.indexOf('\n'))

/** The version that this folder gave last, and so an edit of it began from. */
const begunFrom = (all: Version[], desk: Desk) => all.findLast(({ from }) => from === desk.plan)?.version

/** What a version was made of, as a folder to make one of. */
const deskOf = (version: Version): Desk => ({
  plan: join(version.folder, 'dialplan/plan.yaml'), templates: join(version.folder, 'dialplan/templates'), prompts: join(version.folder, 'dialplan/prompts'),
  ...hasConfig(version) ? { config: configOf(version) } : {}
})

function refuseStale(current: Version | undefined, all: Version[], desk: Desk, base: number | undefined) {
  if (!current) return
  const began = base ?? begunFrom(all, desk)
  if (began === current.version) return
  const what = `version ${current.version} is live (${current.who}, ${current.at}: ${current.why})`
  throw new NotApplied('stale', began === undefined
    ? `${what}, and ${desk.plan} has given no version yet: compare (npx satunomor diff), then say from which version the edit began: --base ${current.version}`
    : `${what}, and this edit began from version ${began}: look at what was changed meanwhile (npx satunomor diff ${began} ${current.version}), take it over, then apply with --base ${current.version}`)
}

/** The version whose content this one has. */
const original = (version: Version, all: Version[]): Version => all.find(one => one.version === version.restores) ?? version

/** What was live before the content that is live now: whoever rolls back twice goes back twice. */
function before(current: Version | undefined, all: Version[]): Version | undefined {
  return current && all.find(({ version }) => version === original(current, all).base)
}

/** What is live, or where the disk has harmed it, the newest version before that is whole. */
export async function lastWhole(current: Version | Lost | undefined, all: Version[], warn: (sentence: string) => void): Promise<Version | undefined> {
  if (!current) return undefined
  if ('sentence' in current) warn(`what was live is lost: ${current.sentence}. The newest version before it that is whole goes on`)
  for (const version of all.filter(one => one.version <= current.version).reverse()) {
    const broken = await damaged(version)
    if (broken.length === 0) return version
    warn(`version ${version.version} is not whole any more: ${broken.join(', ')} in ${version.folder}`)
  }
  return undefined
}

async function copyOf({ folder }: Version, to: string, wanted = (_path: string) => true) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (!wanted(path.slice(folder.length))) continue
    const copy = join(to, path.slice(folder.length))
    if (entry.isDirectory()) await mkdir(copy, { recursive: true })
    else if (entry.name !== 'meta.json') {
      await mkdir(join(copy, '..'), { recursive: true })
      await linkOrCopy(path, copy)
    }
  }
}
