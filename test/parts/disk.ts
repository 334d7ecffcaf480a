/** A small disk of its own (a tmpfs; takes root) that a test can fill. */
import { execFile } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export class Disk implements AsyncDisposable {
  readonly folder: string
  readonly #ballast: string

  private constructor(folder: string) {
    this.folder = folder
    this.#ballast = join(folder, 'ballast')
  }

  /** Mounts it on a folder that is there. */
  static async mount(folder: string, { megabytes, owner = { uid: 0, gid: 0 } }: { megabytes: number, owner?: { uid: number, gid: number } }): Promise<Disk> {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,uid=${owner.uid},gid=${owner.gid},mode=750`, 'tmpfs', folder])
    return new Disk(folder)
  }

  /** Fills it to the last page. */
  async fill() {
    await using file = await open(this.#ballast, 'a')
    for (let size = 1024 * 1024; size >= 4096;) {
      try {
        await file.appendFile(Buffer.alloc(size))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        size /= 2
      }
    }
  }

  async free() {
    await rm(this.#ballast, { force: true })
  }

  async [Symbol.asyncDispose]() {
    await run('umount', ['--lazy', this.folder])
  }
}
