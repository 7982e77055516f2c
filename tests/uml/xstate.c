/*
 * Let user-mode-linux 6.1 run on processors with more floating-point state than it knows.
 *
 * It reads and writes 2696 bytes of it (AVX-512's end). Where there is more (AMX has 8 KiB), the
 * kernel takes the whole of it or nothing: xstateregs_set() in arch/x86/kernel/fpu/regset.c
 * wants fpu_user_cfg.max_size bytes, else EFAULT. Preloaded, this fills in the rest.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long (*ptrace_call)(long, long, void *, void *);

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_call real;
	static char whole[1 << 15]; /* kernel stacks are small, and its kernel has one thread */
	static size_t size;
	struct iovec *asked, all = { whole, sizeof whole };
	va_list arguments;

	va_start(arguments, request);
	long pid = va_arg(arguments, int);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	if (!real)
		real = (ptrace_call)dlsym(RTLD_NEXT, "ptrace");
	if (request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE)
		return real(request, pid, address, data);
	if (!size) {
		if (real(PTRACE_GETREGSET, pid, address, &all) < 0)
			return -1;
		size = all.iov_len;
	}
	asked = data;
	if (size <= asked->iov_len)
		return real(request, pid, address, data);
	memcpy(whole, asked->iov_base, asked->iov_len);
	all.iov_len = size;
	return real(PTRACE_SETREGSET, pid, address, &all);
}
