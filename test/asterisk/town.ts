/** A city whose service reaches Asterisk over wires that a test can cut. Without a service until one is started. */
import { openCity, type City, type CityOptions } from '../parts/city.ts'
import { Proxy } from '../parts/proxy.ts'
import { secretsIn } from '../../src/secrets.ts'
import { places } from '../../src/settings.ts'

export interface Town extends AsyncDisposable {
  city: City
  /** The wires, and where Asterisk's own ends of them are. */
  wires: { ari: Proxy, ami: Proxy }
  ports: { ari: number, ami: number }
  secrets: { ari: string, ami: string }
}

const ports = { ari: 18088, ami: 15038 }

export async function openTown(number: number, { serviceEnv, ...options }: Partial<CityOptions> = {}): Promise<Town> {
  await using opened = new AsyncDisposableStack()
  const city = await openCity({
    number, withService: false, plan: text => text.replaceAll('patience: 3 s', 'patience: 1 s'), ...options,
    serviceEnv: { SATUNOMOR_ARI_PORT: String(ports.ari), SATUNOMOR_AMI_PORT: String(ports.ami), ...serviceEnv }
  })
  const { address } = city
  // The wires are closed after the service: it is stopped with the city.
  const wires = {
    ari: opened.use(await Proxy.open({ at: { address, port: ports.ari }, to: { address, port: 8088 } })),
    ami: opened.use(await Proxy.open({ at: { address, port: ports.ami }, to: { address, port: 5038 } }))
  }
  opened.use(city)
  const secrets = await secretsIn(places(city.state).secrets)
  const all = opened.move()
  return { city, wires, ports, secrets, [Symbol.asyncDispose]: () => all.disposeAsync() }
}
