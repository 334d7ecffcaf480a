/** The settings that a verb goes by: this shell's, with the folders that the running service applies where this shell names none. */
import { project } from '../../setup/project.mjs'
import { withFoldersOfService } from '../service-card.ts'
import { readSettings, type Settings } from '../settings.ts'

export const settingsHere = (): Settings => withFoldersOfService(readSettings(process.env, project), process.env)
