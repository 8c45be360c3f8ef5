import { welcome } from "./contract";

export const welcomeHandler = welcome.handler(async ({ payload, effect, log }) => {
  // A mail server's answer, in an application of your own. It is undefined where a person resolved a doubt.
  const sent = await effect("send", async ({ key }) => ({ messageId: key }));
  log.info("sent", { name: payload.name });
  return { messageId: sent?.messageId ?? "unknown" };
});
