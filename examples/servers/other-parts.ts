// Stand-ins for what an application has anyway, such as Sentry and a pool of pg.

export const errorTracker = {
  captureException(error: unknown, { tags }: { readonly tags: Readonly<Record<string, string>> }): void {
    console.error(tags, error);
  },
};

export const pool = { async end(): Promise<void> {} };
