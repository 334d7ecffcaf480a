/** Whose numbers the desk does not see: callers of agencies that the plan has as `callers: anonymous`. Admins and the city's token see them. */
import { isAnonymous, type Plan } from '../plan/plan.ts'
import type { Asker } from './guard.ts'

/** Whether who asks does not see the number of a citizen of one of these agencies. */
export const hides = ({ person }: Pick<Asker, 'person'>, agencies: readonly (string | null)[], plan: Plan): boolean =>
  person?.role === 'desk' && agencies.some(agency => isAnonymous(plan, agency))
