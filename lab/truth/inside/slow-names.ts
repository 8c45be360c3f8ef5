import dns from "node:dns";
import { setTimeout as sleep } from "node:timers/promises";

const SLOW_MS = 400;

/** Lets every look-up of the one name take a while: a name server that is far away, or busy. */
export function slowDownNames(name: string): void {
  const { lookup } = dns;
  const slow = (host: string, ...rest: unknown[]) => {
    if (host !== name) return Reflect.apply(lookup, dns, [host, ...rest]);
    return setTimeout(() => Reflect.apply(lookup, dns, ["127.0.0.1", ...rest]), SLOW_MS);
  };
  dns.lookup = slow as unknown as typeof lookup;
  const { lookup: promised } = dns.promises;
  const slowly = async (host: string, ...rest: unknown[]) => {
    if (host === name) await sleep(SLOW_MS);
    return await Reflect.apply(promised, dns.promises, [host === name ? "127.0.0.1" : host, ...rest]);
  };
  dns.promises.lookup = slowly as unknown as typeof promised;
}
