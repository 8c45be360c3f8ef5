import type { NextConfig } from "next";

const config: NextConfig = {
  // The console's files are read from the package.
  serverExternalPackages: ["holdfast"],
  // The console's address ends with a slash.
  skipTrailingSlashRedirect: true,
};

export default config;
