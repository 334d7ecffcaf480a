/** asterisk-manager 0.2.0 has no types: these are the parts that src/asterisk/ami-link.ts uses. */
declare module 'asterisk-manager' {
  interface Manager extends NodeJS.EventEmitter {
    options: { port: number, host: string, username: string, password: string, events: boolean }
    /** What it takes for a port goes to `net.createConnection` as it is: its options do, too. */
    connect(where: { port: number, host: string, signal: AbortSignal }, host: undefined, callback?: () => void): void
    login(callback?: (error?: unknown) => void): void
    action(action: Record<string, unknown>, callback?: (error: unknown, response: Record<string, string>) => void): string
    disconnect(): void
  }
  export default function (port: number | undefined, host?: string, username?: string, password?: string, events?: boolean): Manager
}
