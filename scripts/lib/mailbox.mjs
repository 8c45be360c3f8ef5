// The development mailbox, which only a checkout has.
import { Failure } from "./script.mjs";

/** Starts it in this process unless a mail server is named, and sets `SMTP_URL`. */
export async function useMailbox() {
  const { tsImport } = await import("tsx/esm/api"); // not installed yet when this file is first loaded
  const mailbox = await tsImport("../../dev/mailbox/use-mailbox.ts", import.meta.url);
  try {
    await mailbox.useMailbox();
  } catch (error) {
    throw error.name === "HoldfastError" ? new Failure(error.message) : error;
  }
}
