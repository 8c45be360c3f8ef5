/** What a store that is there says against this process, and what to do about it: trying again alone does not help. */
interface Refusal {
  readonly sign: RegExp;
  readonly meaning: string;
  readonly remedy: string;
}

const refusals: readonly Refusal[] = [
  {
    sign: /^NOAUTH/,
    meaning: "the store asks for a password, and REDIS_URL has none",
    remedy: "REDIS_URL=redis://USER:PASSWORD@…",
  },
  {
    sign: /^WRONGPASS|invalid password|invalid username-password/,
    meaning: "the store does not accept the user and password of REDIS_URL",
    remedy: "correct them; ACL LIST on the store shows its users",
  },
  {
    sign: /NOPERM|^DENIED/,
    meaning: "the store does not allow this user what Holdfast needs",
    remedy: "ACL SETUSER … +@all with the application's keys and channels (~PREFIX:* &PREFIX:*)",
  },
  {
    sign: /Unknown RESP type|Protocol error/,
    meaning: "what answers at REDIS_URL does not speak the protocol of Redis",
    remedy: "check host, port and scheme (rediss:// where it wants TLS)",
  },
  {
    sign: /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ERR_SSL|EPROTO/,
    meaning: "TLS with the store failed",
    remedy:
      "check the scheme of REDIS_URL and the store's certificate (NODE_EXTRA_CA_CERTS for one of your own)",
  },
  {
    sign: /cluster support disabled/,
    meaning: "REDIS_URL names several nodes, and the store is no Redis Cluster",
    remedy: "name one node; a Sentinel set is sentinel://…",
  },
  {
    sign: /^(MOVED|CROSSSLOT|CLUSTERDOWN)/,
    meaning: "the store is a Redis Cluster that cannot be used as REDIS_URL has it",
    remedy: "name several of its nodes, comma-separated, and see CLUSTER INFO on the store",
  },
];

/**
 * Names what the store has against this process.
 *
 * @returns one line without any address or secret; undefined where it said nothing: it is out of reach, and may come back
 */
export function refusalIn(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = causeOf(cause)) {
    const code = "code" in cause ? String(cause.code) : "";
    const found = refusals.find(({ sign }) => sign.test(code) || sign.test(messageOf(cause as Error)));
    if (found !== undefined) return `${found.meaning}. Remedy: ${found.remedy}.`;
  }
  return undefined;
}

function messageOf({ message }: Error): string {
  return message.replace(/^(ERR|-)\s*/, "");
}

/** A cluster's client tells only that all nodes failed; what one of them said stands behind that. */
function causeOf(error: Error): unknown {
  return "lastNodeError" in error ? error.lastNodeError : error.cause;
}
