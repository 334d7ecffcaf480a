import { fakeStage } from '../fakes/fake-stage.ts'
import { afterHours, afterHoursStories } from '../stories/after-hours.ts'

afterHoursStories(() => fakeStage(afterHours))
