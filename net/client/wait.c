/* wait.c - ask and wait: the answer is copied, for the bytes of the reply are gone after the
 * callback
 *
 * Thread: the caller's, which sleeps until the callback, on a thread of nng's, has woken it.
 */
#include "net/client/client.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/base/require.h"

struct waiting_call {
    struct client_answer *answer;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    bool done;
};

static const struct value *answer_copy(struct client_answer *answer, const struct value *value) {
    uint32_t size = value_size(value);
    free(answer->bytes);
    answer->bytes = malloc(size);
    return answer->bytes ? value_scanned(memcpy(answer->bytes, value, size)) : NULL;
}

static void call_answered(void *context, const struct client_reply *reply) {
    struct waiting_call *call = context;
    struct client_answer *answer = call->answer;
    answer->status = reply->status;
    if (reply->status == CLIENT_OK) {
        const struct value *copy = answer_copy(answer, reply->error ? reply->error : reply->result);
        if (!copy) answer->status = CLIENT_NO_MEMORY;
        if (reply->error) {
            answer->error = copy;
        } else {
            answer->result = copy;
        }
    }
    pthread_mutex_lock(&call->mutex);
    call->done = true;
    pthread_cond_signal(&call->answered);
    pthread_mutex_unlock(&call->mutex);
}

int client_call_wait(struct client *client, const char *method, const struct value_writer *params,
                     struct client_answer *answer) {
    struct waiting_call call = {.answer = answer};
    REQUIRE(pthread_mutex_init(&call.mutex, NULL) == 0);
    REQUIRE(pthread_cond_init(&call.answered, NULL) == 0);
    answer->error = answer->result = NULL;
    int rc = client_call_with_room(client, method, params, call_answered, &call);
    if (rc != 0) {
        answer->status = rc;
    } else {
        pthread_mutex_lock(&call.mutex);
        while (!call.done) pthread_cond_wait(&call.answered, &call.mutex);
        pthread_mutex_unlock(&call.mutex);
    }
    (void)pthread_cond_destroy(&call.answered);
    (void)pthread_mutex_destroy(&call.mutex);
    return answer->status;
}

void client_answer_deinit(struct client_answer *answer) {
    free(answer->bytes);
    *answer = (struct client_answer){0};
}

const char *client_answer_code(const struct client_answer *answer, char ret_code[32]) {
    const char *bytes;
    uint32_t size;
    ret_code[0] = '\0';
    if (value_get_text(value_find(answer->error, "code"), &bytes, &size) && size < 32) {
        memcpy(ret_code, bytes, size);
        ret_code[size] = '\0';
    }
    return ret_code;
}
