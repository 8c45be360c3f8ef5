/** What ioredis says of a command whose connection is closed. BullMQ knows it by this text. */
export const CONNECTION_CLOSED = "Connection is closed.";
