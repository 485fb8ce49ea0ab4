/* Time, processors, debugger output, strings. Reference pages of wdm.h. */
#pragma once

/* Time: pages of the routines. System time counts 100 ns since 1601. */
void KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);
ULONG64 KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp);
LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);
void KeStallExecutionProcessor(ULONG MicroSeconds);

/* Page of the routine: returns when all DPCs that were queued have run. */
void KeFlushQueuedDpcs(void);

/* Processors. */
ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber);
ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber);

#define ALL_PROCESSOR_GROUPS 0xffff

/* Debugger output and bug checks: pages "DbgPrint" and "KeBugCheckEx". */
ULONG __cdecl DbgPrint(PCSTR Format, ...);
__declspec(noreturn) void KeBugCheckEx(
    ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
    ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4);

/* Strings. */
void RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
