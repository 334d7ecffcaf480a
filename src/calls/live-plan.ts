import type { Plan } from '../plan/plan.ts'
import type { Beginning } from './city-line.ts'

/** The service plan that calls begin under: the newest, but while one takes the place of another also the one before. */
export class LivePlan {
  #plans: readonly Plan[]

  constructor(plan: Plan) {
    this.#plans = [plan]
  }

  get now(): Plan { return this.#plans[0]! }

  /** From now on calls begin under this plan; those in progress go on under theirs. */
  follow(plan: Plan) {
    this.#plans = [plan, ...this.#plans.filter(({ version }) => version !== plan.version)].slice(0, 3)
  }

  /** The plan for a call that arrives at a place: Asterisk may for a moment still send calls to a node that the newest does not have. */
  at(place: Beginning): Plan {
    const node = 'entry' in place ? place.entry : 'node' in place ? place.node : 'waiting' in place ? place.waiting : place.returned.agency
    return this.#plans.find(plan => plan.nodes.has(node)) ?? this.now
  }
}
