/* libsluicegate: a whole ICA gateway to embed. Generated from ffi/src by `UPDATE=1 cargo test -p sluicegate-ffi`; do not edit. */

#pragma once



#include <stddef.h>
#include <stdint.h>

/*
 How a call ended.
 */
typedef enum {
  /*
   It did what it says.
   */
  SG_STATUS_OK = 0,
  /*
   A pointer that must not be NULL was.
   */
  SG_STATUS_NULL_POINTER = 1,
  /*
   A string was not UTF-8.
   */
  SG_STATUS_NOT_UTF8 = 2,
  /*
   The configuration has errors; the message lists them with line and column.
   */
  SG_STATUS_CONFIGURATION = 3,
  /*
   The machine refused something: an address, a file, a thread. The message says what.
   */
  SG_STATUS_MACHINE = 4,
  /*
   There is no such virtual server or counter.
   */
  SG_STATUS_NOT_FOUND = 5,
  /*
   The caller's memory is too small; nothing was written.
   */
  SG_STATUS_TOO_SMALL = 6,
  /*
   A fault of the library's own. The gateway should be stopped.
   */
  SG_STATUS_INTERNAL = 7,
} sg_status;

/*
 A running gateway. Opaque.
 */
typedef struct sg_gateway sg_gateway;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The library's version, as "major.minor.patch", with static lifetime.
 */
const char *sg_version(void);

/*
 Starts a gateway from `config_len` bytes of `ns.conf` text at `config`. Files that it names are looked for below the folder
 `base` (`base_len` bytes).

 On success `*out` is the gateway. On failure a message is written to `message`, cut to `message_room` bytes with its
 terminating NUL; `message` may be NULL.

 # Safety
 The pointers must be NULL or point to memory of the size given beside them; `out` must be NULL or writable.
 */
sg_status sg_gateway_start(const char *config,
                           size_t config_len,
                           const char *base,
                           size_t base_len,
                           sg_gateway **out,
                           char *message,
                           size_t message_room);

/*
 Copies the address of the virtual server named `name`, as "address:port", to `out`: the actual port if 0 was configured.

 # Safety
 `gateway` must come from `sg_gateway_start` and not have been stopped; the other pointers as everywhere.
 */
sg_status sg_gateway_address(const sg_gateway *gateway,
                             const char *name,
                             size_t name_len,
                             char *out,
                             size_t room);

/*
 Reads the counter named `name`, summed over all workers.

 # Safety
 As for `sg_gateway_address`; `out` must be NULL or writable.
 */
sg_status sg_gateway_counter(const sg_gateway *gateway,
                             const char *name,
                             size_t name_len,
                             uint64_t *out);

/*
 Copies the name of counter number `index` (from 0) to `out`; `SG_STATUS_NOT_FOUND` past the last.

 # Safety
 `out` must be NULL or point to `room` writable bytes.
 */
sg_status sg_counter_name(size_t index, char *out, size_t room);

/*
 Takes no new connections; sessions run until they end or `within_ms` milliseconds have passed. Returns at once: watch the
 counter `sessions`.

 # Safety
 As for `sg_gateway_address`.
 */
sg_status sg_gateway_drain(const sg_gateway *gateway,
                           uint64_t within_ms);

/*
 Ends all sessions, joins all threads and frees the handle. NULL is allowed and does nothing.

 # Safety
 `gateway` must be NULL or come from `sg_gateway_start`, must not be in use by another thread, and must not be used again.
 */
sg_status sg_gateway_stop(sg_gateway *gateway);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus
