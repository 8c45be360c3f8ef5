import { Client, credentials } from "@grpc/grpc-js";
import { grpc } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { callOnce } from "./grpc.ts";
import { Kept } from "./kept.ts";

const kept = new Kept<Client>();
const open = ({ host, port }: Target) => new Client(`${host}:${port}`, credentials.createInsecure());

/** Over a channel that many share, and that was opened before. */
function send(target: Target): Promise<unknown> {
  return callOnce(
    kept.of(target.port, () => open(target)),
    target,
  );
}

async function warmUp(target: Target): Promise<unknown> {
  const client = kept.keep(target.port, open(target));
  return await new Promise((resolve) => client.waitForReady(Date.now() + target.timeoutMs, resolve));
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp, classify: grpc };
