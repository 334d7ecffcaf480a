/** Parts in containers, through testcontainers: the host's network, our own image, the same folders mounted. */
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import type { Program } from '../../setup/root.mjs'
import type { Running } from './launch.ts'

/** Made from the Dockerfile's target `parts`: Asterisk, Redis and PostgreSQL. */
const image = process.env['SATUNOMOR_PARTS_IMAGE'] ?? 'satunomor/parts'

export const containers = {
  /** Whether a Docker engine answers. */
  async answer(): Promise<boolean> {
    try {
      await getContainerRuntimeClient()
      return true
    } catch {
      return false
    }
  },

  async launch(name: string, { command, user = 'root', binds = [] }: Program, ready: () => Promise<boolean>): Promise<Running> {
    const container = await new GenericContainer(image)
      .withNetworkMode('host').withUser(user).withEntrypoint([command[0]!]).withCommand(command.slice(1))
      .withBindMounts(binds.map(({ from, to, readOnly }) => ({ source: from, target: to, mode: readOnly ? 'ro' as const : 'rw' as const })))
      .withWaitStrategy(Wait.forOneShotStartup()).start()
    const stop = async (timeout: number) => { await container.stop({ timeout, remove: true }) }
    void name; void ready
    return { stop: () => stop(20_000), kill: () => stop(0) }
  }
}
