import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { parseCookie, stringifySetCookie } from "cookie";
import type { ApiKey } from "../config/api-keys.ts";
import { fingerprintSecret } from "../submit/fingerprint.ts";
import type { ApiParts } from "./parts.ts";

/** How long somebody stays signed in to the console. */
const SESSION_S = 12 * 60 * 60;

const value = /^([A-Za-z0-9._-]{1,64})\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/;

/**
 * Sessions of the console: a cookie in place of the key, so that no script in the page can read what it could sign in with.
 *
 * Nothing is kept of them. The cookie says whose it is and until when, signed with a secret of the store and the key's
 * hash: so every API process can read it, and it ends when its key is taken out of the configuration. Not with the hash
 * alone: then whoever reads the configuration could sign cookies.
 */
export interface Sessions {
  /**
   * @param isSecure whether the browser came over HTTPS
   * @returns the value of `Set-Cookie`
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  open(key: ApiKey, isSecure: boolean): Promise<string>;
  /** @returns the value of `Set-Cookie` that takes it away */
  close(): string;
  /**
   * @param header `Cookie`
   * @returns the key that it stands for, if it is valid
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  read(header: string): Promise<ApiKey | undefined>;
}

/** @returns undefined where no keys are configured: then there is nothing to sign in with */
export function openSessions({
  settings,
  client,
  codec,
}: Pick<ApiParts, "settings" | "client" | "codec">): Sessions | undefined {
  const { HOLDFAST_API_KEYS: keys, HOLDFAST_PREFIX: prefix } = settings;
  return keys.length === 0
    ? undefined
    : createSessions({ keys, prefix, secret: fingerprintSecret(client, prefix, codec) });
}

interface SessionsOptions {
  readonly keys: readonly ApiKey[];
  /** Tells services of one host apart: cookies know no ports. */
  readonly prefix: string;
  readonly secret: { get(): Promise<string> };
}

function createSessions({ keys, prefix, secret }: SessionsOptions): Sessions {
  const name = `${prefix}-session`;
  // No Path: a browser then takes the folder that the answer came from, which is all of the service, and no more than
  // it, under whatever prefix a proxy shows it.
  const attributes = { name, httpOnly: true, sameSite: "strict" } as const;
  return {
    async open(key, secure) {
      const expires = String(Math.floor(Date.now() / 1_000) + SESSION_S);
      const mac = sign(await secret.get(), key, expires).toString("base64url");
      return stringifySetCookie({
        ...attributes,
        value: `${key.name}.${expires}.${mac}`,
        maxAge: SESSION_S,
        secure,
      });
    },
    close: () => stringifySetCookie({ ...attributes, value: "", maxAge: 0 }),
    async read(header) {
      const [, owner, expires = "", mac = ""] = value.exec(parseCookie(header)[name] ?? "") ?? [];
      if (owner === undefined || Number(expires) * 1_000 <= Date.now()) return undefined;
      const held = await secret.get();
      const shown = Buffer.from(mac, "base64url");
      return keys.find((key) => key.name === owner && timingSafeEqual(sign(held, key, expires), shown));
    },
  };
}

function sign(secret: string, { name, sha256 }: ApiKey, expires: string): Buffer {
  const signingKey = Buffer.from(hkdfSync("sha256", secret, sha256, "holdfast session", 32));
  return createHmac("sha256", signingKey).update(`${name}.${expires}`).digest();
}
