import type { Running } from "holdfast";

/** Runs a role: reports that it is ready, and ends on SIGTERM or when the laboratory is gone. */
export async function live(start: () => Promise<Running>): Promise<void> {
  process.on("disconnect", () => process.exit(1));
  let stop = () => process.exit(0);
  process.on("SIGTERM", () => stop());
  const role = await start();
  stop = () => {
    role.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
    return undefined as never;
  };
  process.send?.({ ready: true, ...("url" in role && { url: role.url }) });
}
