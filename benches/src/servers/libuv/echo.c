/* An echo on libuv: echo HOST PORT
 *
 * One read buffer of 256 KiB serves all connections. Data is written immediately (uv_try_write). Only
 * data that the socket does not accept is copied and queued, and reading stops until it is sent. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BACKLOG = 4096, READ_SIZE = 256 * 1024 };

static char buffer[READ_SIZE];

struct rest {
    uv_write_t request;
    char bytes[];
};

static void check(const char *what, int result)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
        exit(1);
    }
}

static void allocate(uv_handle_t *client, size_t suggested, uv_buf_t *into)
{
    (void)client;
    (void)suggested;
    *into = uv_buf_init(buffer, READ_SIZE);
}

static void closed(uv_handle_t *client)
{
    free(client);
}

static void end(uv_stream_t *client)
{
    if (!uv_is_closing((uv_handle_t *)client))
        uv_close((uv_handle_t *)client, closed);
}

static void received(uv_stream_t *client, ssize_t count, const uv_buf_t *data);

static void rest_written(uv_write_t *request, int status)
{
    uv_stream_t *client = request->handle;
    free(request->data);
    if (status < 0)
        end(client);
    else if (!uv_is_closing((uv_handle_t *)client))
        check("read", uv_read_start(client, allocate, received));
}

static void received(uv_stream_t *client, ssize_t count, const uv_buf_t *data)
{
    if (count < 0) {
        end(client);
        return;
    }
    uv_buf_t all = uv_buf_init(data->base, (unsigned)count);
    int written = count == 0 ? 0 : uv_try_write(client, &all, 1);
    if (written == UV_EAGAIN)
        written = 0;
    if (written < 0) {
        end(client);
        return;
    }
    size_t left = (size_t)(count - written);
    if (left == 0)
        return;
    struct rest *rest = malloc(sizeof *rest + left);
    if (rest == NULL)
        abort();
    memcpy(rest->bytes, data->base + written, left);
    rest->request.data = rest;
    uv_buf_t queued = uv_buf_init(rest->bytes, (unsigned)left);
    uv_read_stop(client);
    if (uv_write(&rest->request, client, &queued, 1, rest_written) < 0) {
        free(rest);
        end(client);
    }
}

static void connected(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = status < 0 ? NULL : malloc(sizeof *client);
    if (client == NULL)
        return;
    check("client", uv_tcp_init(listener->loop, client));
    if (uv_accept(listener, (uv_stream_t *)client) == 0) {
        uv_tcp_nodelay(client, 1);
        check("read", uv_read_start((uv_stream_t *)client, allocate, received));
    } else {
        end((uv_stream_t *)client);
    }
}

int main(int count, char **arguments)
{
    struct sockaddr_storage address;
    uv_tcp_t listener;
    if (count != 3) {
        fprintf(stderr, "usage: %s HOST PORT\n", arguments[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int port = atoi(arguments[2]), six = strchr(arguments[1], ':') != NULL;
    check("address", six ? uv_ip6_addr(arguments[1], port, (struct sockaddr_in6 *)&address)
                         : uv_ip4_addr(arguments[1], port, (struct sockaddr_in *)&address));
    check("loop", uv_tcp_init(uv_default_loop(), &listener));
    check("bind", uv_tcp_bind(&listener, (struct sockaddr *)&address, 0));
    check("listen", uv_listen((uv_stream_t *)&listener, BACKLOG, connected));
    int length = sizeof address;
    check("name", uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length));
    port = ntohs(six ? ((struct sockaddr_in6 *)&address)->sin6_port
                     : ((struct sockaddr_in *)&address)->sin_port);
    printf(six ? "listening on [%s]:%d\n" : "listening on %s:%d\n", arguments[1], port);
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
