// The site's first page: site/landing.md, with what comes from code.
import { readFileSync } from "node:fs";
import { proofTiles } from "./proof.mjs";
import { withGeneratedSections } from "./sections.mjs";
import { pathOnSite, siteFiles } from "./site-pages.mjs";

/** Guides by what people look for. */
const guides = {
  frameworks: [
    ["docs/nestjs.md", "NestJS"],
    ["docs/nextjs.md", "Next.js"],
    ["docs/servers.md", "Express, Fastify and Hono"],
    ["docs/http.md#how-do-i-mount-it-in-my-application", "API and console inside your server"],
    ["docs/client.md", "Browsers, edge functions and other services"],
    ["docs/outbox.md", "PostgreSQL: submit in a transaction"],
    ["docs/from-bullmq.md", "Come from BullMQ"],
    ["docs/deploy.md", "Docker Compose, systemd"],
  ],
  providers: [
    ["docs/providers/stripe.md", "Stripe"],
    ["docs/providers/aws.md", "Amazon SES and S3"],
    ["docs/providers/smtp.md", "Mail servers"],
    ["docs/providers/http.md", "Any HTTP API"],
    ["docs/providers/postgresql.md", "PostgreSQL"],
    ["docs/providers/openai-anthropic.md", "OpenAI and Anthropic"],
    ["docs/providers/github.md", "GitHub"],
  ],
};

/** The text of the first page. */
export async function landingPage() {
  return await withGeneratedSections(readFileSync("site/landing.md", "utf8"), {
    proof: proofTiles,
    frameworks: () => listOf(guides.frameworks),
    providers: () => listOf(guides.providers),
  });
}

function listOf(links) {
  const there = links.filter(([target]) => siteFiles.includes(target.split("#")[0]));
  return there.map(([target, text]) => `- [${text}](/${pathOnSite(target)})`).join("\n");
}
