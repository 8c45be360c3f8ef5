/** What you do today. */
export async function chargeCard(cents, { key, signal }) {
  const answer = await fetch(process.env.BANK_URL, {
    method: "POST",
    headers: { "idempotency-key": key },
    body: String(cents),
    signal,
  });
  return await answer.json();
}
