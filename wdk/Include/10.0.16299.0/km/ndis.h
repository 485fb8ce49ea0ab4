/* NDIS 6.40 for miniport call managers. Reference pages of ndis.h.
   The parts build on one another in this order. */
#pragma once

#include <ntddk.h>
#include <ntddndis.h>
#include <ndis/base.h>
#include <ndis/status.h>
#include <ndis/net_buffer.h>
#include <ndis/net_buffer_list.h>
#include <ndis/request.h>
#include <ndis/attributes.h>
#include <ndis/miniport.h>
#include <ndis/configuration.h>
#include <ndis/interrupt.h>
#include <ndis/dma.h>
#include <ndis/timer.h>
#include <ndis/system.h>
#include <ndis/call.h>
#include <ndis/call_manager.h>
#include <ndis/client.h>
