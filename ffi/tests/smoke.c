/* A gateway in a C program: wrong input is told apart, a right one starts, serves its address and counters, drains and stops.
 * Usage: smoke FOLDER   (with ns.conf, gw.pem and gw.key in it) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sluicegate.h"

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

static char *read_file(const char *folder, const char *name, size_t *length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    char *text = malloc(1 << 20);
    CHECK(text != NULL);
    *length = fread(text, 1, 1 << 20, file);
    fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    const char *folder = argv[1];
    char message[2048] = "";
    sg_gateway *gateway = NULL;

    CHECK(strchr(sg_version(), '.') != NULL);

    /* What is wrong is told apart, and nothing is made. */
    CHECK(sg_gateway_start(NULL, 0, folder, strlen(folder), &gateway, message, sizeof message) == SG_STATUS_NULL_POINTER);
    CHECK(sg_gateway_start("x", 1, folder, strlen(folder), NULL, message, sizeof message) == SG_STATUS_NULL_POINTER);
    CHECK(sg_gateway_start("\xff\xfe", 2, folder, strlen(folder), &gateway, message, sizeof message) == SG_STATUS_NOT_UTF8);
    const char *wrong = "add vpn vserver\nno such command\n";
    CHECK(sg_gateway_start(wrong, strlen(wrong), folder, strlen(folder), &gateway, message, sizeof message) == SG_STATUS_CONFIGURATION);
    CHECK(strstr(message, ":1:") != NULL && strstr(message, ":2:") != NULL);
    CHECK(gateway == NULL);
    char tiny[4];
    CHECK(sg_gateway_start(wrong, strlen(wrong), folder, strlen(folder), &gateway, tiny, sizeof tiny) == SG_STATUS_CONFIGURATION);
    CHECK(strlen(tiny) == 3);
    CHECK(sg_gateway_start(wrong, strlen(wrong), folder, strlen(folder), &gateway, NULL, 0) == SG_STATUS_CONFIGURATION);

    /* A right one runs. */
    size_t length;
    char *config = read_file(folder, "ns.conf", &length);
    sg_status status = sg_gateway_start(config, length, folder, strlen(folder), &gateway, message, sizeof message);
    if (status != SG_STATUS_OK)
        fprintf(stderr, "%d: %s\n", (int)status, message);
    CHECK(status == SG_STATUS_OK && gateway != NULL);
    free(config);

    char address[64];
    CHECK(sg_gateway_address(gateway, "vpn1", 4, address, sizeof address) == SG_STATUS_OK);
    CHECK(strncmp(address, "127.0.0.1:", 10) == 0 && strcmp(address, "127.0.0.1:0") != 0);
    CHECK(sg_gateway_address(gateway, "vpn1", 4, tiny, sizeof tiny) == SG_STATUS_TOO_SMALL);
    CHECK(sg_gateway_address(gateway, "nobody", 6, address, sizeof address) == SG_STATUS_NOT_FOUND);
    CHECK(sg_gateway_address(NULL, "vpn1", 4, address, sizeof address) == SG_STATUS_NULL_POINTER);

    /* Whoever started this program connects there now, and says so on standard input. */
    printf("%s\n", address);
    fflush(stdout);
    CHECK(getchar() == 'c');

    char name[64];
    size_t counters = 0;
    uint64_t value, accepted = 0;
    while (sg_counter_name(counters, name, sizeof name) == SG_STATUS_OK) {
        CHECK(sg_gateway_counter(gateway, name, strlen(name), &value) == SG_STATUS_OK);
        if (strcmp(name, "accepted") == 0)
            accepted = value;
        counters++;
    }
    CHECK(counters > 20 && accepted == 1);
    CHECK(sg_gateway_counter(gateway, "no_such", 7, &value) == SG_STATUS_NOT_FOUND);

    CHECK(sg_gateway_drain(gateway, 1000) == SG_STATUS_OK);
    CHECK(sg_gateway_stop(gateway) == SG_STATUS_OK);
    CHECK(sg_gateway_stop(NULL) == SG_STATUS_OK);

    /* A second one in the same process, stopped without having been used. */
    gateway = NULL;
    config = read_file(folder, "ns.conf", &length);
    CHECK(sg_gateway_start(config, length, folder, strlen(folder), &gateway, message, sizeof message) == SG_STATUS_OK);
    free(config);
    CHECK(sg_gateway_stop(gateway) == SG_STATUS_OK);
    puts("ok");
    return 0;
}
