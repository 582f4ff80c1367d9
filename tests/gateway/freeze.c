/* Stops one thread of another process, and only that one, until standard input ends. Usage: freeze TID
 * A signal would stop the whole process; a debugger's seize and interrupt stop a single thread. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    pid_t thread = (pid_t)atoi(argv[1]);
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) != 0) {
        perror("ptrace");
        return 1;
    }
    int status;
    if (waitpid(thread, &status, __WALL) != thread)
        return 1;
    if (write(1, "s", 1) != 1)
        return 1;
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    ptrace(PTRACE_DETACH, thread, NULL, NULL);
    return 0;
}
