import { fakeStage } from '../fakes/fake-stage.ts'
import { stories } from '../stories/stories.ts'

stories(() => fakeStage())
