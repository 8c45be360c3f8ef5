/*
 * Makes SIGKILL of Redis mean a power cut: what was written to its log but not fsynced is lost.
 *
 * The kernel keeps what a killed process has written, so a kill alone never shows whether Redis fsyncs before it answers. This
 * library, preloaded with LD_PRELOAD, keeps writes to the append-only log in the process's memory until fsync.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { char *bytes; size_t length, room; } unsynced[FILES_MAX];

static int is_log(int fd) {
  struct stat about;
  char link[64], path[4096];
  if (fd < 0 || fd >= FILES_MAX || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, ".incr.aof") != NULL;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (!is_log(fd)) return real(fd, bytes, length);
  pthread_mutex_lock(&lock);
  if (unsynced[fd].length + length > unsynced[fd].room) {
    unsynced[fd].room = 2 * (unsynced[fd].length + length);
    unsynced[fd].bytes = realloc(unsynced[fd].bytes, unsynced[fd].room);
  }
  memcpy(unsynced[fd].bytes + unsynced[fd].length, bytes, length);
  unsynced[fd].length += length;
  pthread_mutex_unlock(&lock);
  return length;
}

/* Uses the real write; ours would only keep it again. */
static void flush(int fd) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real) real = dlsym(RTLD_NEXT, "write");
  if (fd < 0 || fd >= FILES_MAX) return;
  pthread_mutex_lock(&lock);
  size_t done = 0;
  while (done < unsynced[fd].length) {
    ssize_t written = real(fd, unsynced[fd].bytes + done, unsynced[fd].length - done);
    if (written < 0) break;
    done += written;
  }
  unsynced[fd].length = 0;
  pthread_mutex_unlock(&lock);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  flush(fd);
  return real(fd);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fsync");
  flush(fd);
  return real(fd);
}
