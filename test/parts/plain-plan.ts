/**
 * The tests' city: the demo city without what it does when lines are busy or dead. No overflow, no waiting room, no accept key, and one
 * gateway. Most tests ask what happens without these, or add what they need.
 */
export const plainPlan = (text: string) => text
  .replace(/\n  gateway-2: .*/, '')
  .replaceAll('trunks: [gateway, gateway-2]', 'trunk: gateway')
  .replaceAll(/, acceptKey: 1 \}.*/g, ' }')
  .replaceAll(/\n    (overflow|wait): .*/g, '')
