import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { parseCookie, stringifySetCookie } from "cookie";
import { openCommonSecret } from "../../../core/bullmq/store/fingerprint-secrets.ts";
import type { ApiKey } from "../../../platform/config/api-keys.ts";
import type { ApiParts } from "../parts.ts";

/** How long a sign-in to the console lasts. */
const SESSION_S = 12 * 60 * 60;

const cookieValue = /^([A-Za-z0-9._-]{1,64})\.(\d{1,12})\.([A-Za-z0-9_-]{43})$/;

/**
 * Sessions of the console: a cookie instead of the key, which no script in the page can read.
 *
 * Nothing is stored. The cookie holds name and expiry, signed with the key's hash and a secret in Redis: every API process
 * can check it, and it ends when its key leaves the configuration. With the hash alone, anyone who can read the
 * configuration could sign cookies.
 */
export interface Sessions {
  /**
   * @param isSecure whether the browser came over HTTPS
   * @returns the value of `Set-Cookie`
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  open(key: ApiKey, isSecure: boolean): Promise<string>;
  /** @returns the value of `Set-Cookie` that deletes the cookie */
  close(): string;
  /**
   * @param header the `Cookie` header
   * @returns the session's key, if the session is valid
   * @throws HoldfastError `STORE_UNAVAILABLE`
   */
  read(header: string): Promise<ApiKey | undefined>;
}

/** @returns undefined if no keys are configured */
export function openSessions({
  application,
  settings,
  client,
  codec,
}: Pick<ApiParts, "application" | "settings" | "client" | "codec">): Sessions | undefined {
  const { HOLDFAST_API_KEYS: keys, HOLDFAST_PREFIX: prefix } = settings;
  if (keys.length === 0) return undefined;
  const secret = openCommonSecret({ client, codec }, prefix, application.queues);
  // With the prefix, because services on one host share their cookies.
  const name = `${prefix}-session`;
  // No Path: the browser then uses the folder of `/session`, which is the whole service under any proxy prefix.
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
      const [, keyName, expires = "", mac = ""] = cookieValue.exec(parseCookie(header)[name] ?? "") ?? [];
      if (keyName === undefined || Number(expires) * 1_000 <= Date.now()) return undefined;
      const signingSecret = await secret.get();
      const given = Buffer.from(mac, "base64url");
      return keys.find(
        (key) => key.name === keyName && timingSafeEqual(sign(signingSecret, key, expires), given),
      );
    },
  };
}

function sign(secret: string, { name, sha256 }: ApiKey, expires: string): Buffer {
  const signingKey = Buffer.from(hkdfSync("sha256", secret, sha256, "holdfast session", 32));
  return createHmac("sha256", signingKey).update(`${name}.${expires}`).digest();
}
