// What the example needs of the outside world.

const uploadedAt = Date.now() + 1_500;

/** The file arrives a moment after the worker has started. */
export async function isUploaded(_file: string): Promise<boolean> {
  return Date.now() > uploadedAt;
}

export async function charge(order: string, key: string): Promise<{ readonly charge: string }> {
  return { charge: `${order} ${key}` };
}

export function pagesOf(chapter: string): number {
  return chapter.length;
}
