/* wait.h - what a caller that waits needs of client.c; client_call_wait() is its face (client.h) */
#ifndef USHER_NET_CLIENT_WAIT_H
#define USHER_NET_CLIENT_WAIT_H

#include "net/client/client.h"

/* client_call_with_room - client_call(), but where that says CLIENT_FULL it waits for room
 * Blocks. Not from a callback. Return: 0; CLIENT_TOO_BIG, CLIENT_NO_MEMORY */
int client_call_with_room(struct client *client, const char *method,
                          const struct value_writer *params, client_done *done, void *context);

#endif
