export function bundle(root: string): void;
