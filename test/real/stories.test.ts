import { realStage } from './stage.ts'
import { stories } from '../stories/stories.ts'

stories(() => realStage(1, { callbacks: true }))
