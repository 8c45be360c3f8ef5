import express from "express";
import { guardRoute } from "holdfast/guard";
import { chargeCard } from "./bank.js";
import { charge, guard } from "./charge.js";

const app = express().use(express.json());
app.post("/charges", async (request, response) => {
  const call = { key: request.get("idempotency-key"), content: request.body }; // and scope: the account
  const { status, headers, body } = await guardRoute(guard, charge, call, ({ key, signal }) =>
    chargeCard(request.body.cents, { key, signal }),
  );
  response.status(status).set(headers).send(body);
});
app.listen(process.env.PORT);
