// Generates the table in `docs/errors.md` from the codes that the service uses.

/** Every code with its HTTP status, and whether a retry can help. */
export async function errorCodesTable() {
  const { errorCodes } = await import("../../build/platform/errors/error-codes.js");
  const rows = Object.entries(errorCodes).map(
    ([code, { httpStatus, retryable, title }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? "yes" : "no"} | ${title} |`,
  );
  return ["| code | HTTP | retryable | title |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
